#!/bin/bash
# Bootstrap action: ends the cluster after $1 minutes, even if a step is still running, HDFS still has files, or no worker of
# Longhaul is left to end the cluster. EMR's own idle timeout does not count while HDFS is more than 10 % full.
set -e
# The cluster ends with its master.
grep -Eq '"isMaster": *true' "${EMR_INSTANCE_INFO:-/mnt/var/lib/info/instance.json}" || exit 0
sudo shutdown -h "+$1"
