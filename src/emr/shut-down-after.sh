#!/bin/bash
# Bootstrap action: ends the cluster after $1 minutes, whatever runs on it or lies on its HDFS, also where no worker of
# Longhaul is left to end it. EMR's own idle timeout does not count while HDFS is more than 10 % full.
set -e
# The cluster ends with its master.
grep -Eq '"isMaster": *true' "${EMR_INSTANCE_INFO:-/mnt/var/lib/info/instance.json}" || exit 0
sudo shutdown -h "+$1"
