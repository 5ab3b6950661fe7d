import { lookup as resolve } from 'node:dns';
import { BlockList, isIP, type LookupFunction } from 'node:net';
import type { AddressPolicy } from '../config/settings.ts';
import { NO_FILES_HINT, shownAddress } from '../model/addresses.ts';
import { LonghaulError } from '../model/errors.ts';
import { printable } from '../model/names.ts';

/** Link-local addresses, and the addresses where clouds give out credentials. No setting allows them. */
const NEVER = blockList(
  ...['169.254.0.0/16', '168.63.129.16/32', '100.100.100.200/32'],
  ...['fe80::/10', 'fd00:ec2::254/128', 'fd20:ce::254/128'],
);

/** Loopback, private, shared, reserved and multicast addresses. 6to4 and site-local addresses also lead to them. */
const PRIVATE = blockList(
  ...['0.0.0.0/8', '10.0.0.0/8', '100.64.0.0/10', '127.0.0.0/8', '172.16.0.0/12'],
  ...['192.0.0.0/24', '192.168.0.0/16', '198.18.0.0/15', '224.0.0.0/3'],
  ...['::/128', '::1/128', 'fc00::/7', 'fec0::/10', 'ff00::/8', '2002::/16'],
);

/**
 * Returns the address as a URL if its text shows that a worker may read it. `policedLookup` checks host names again
 * when it resolves them.
 * @param shown the address in the form for messages, if it differs from `shownAddress`.
 * @throws LonghaulError ADDRESS_REFUSED: another protocol, a user or password, or an address that is not allowed.
 */
export function assertAllowed(
  address: string,
  policy: AddressPolicy,
  shown: string = shownAddress(address),
): URL {
  if (!URL.canParse(address)) throw refused(shown, 'is not a URL');
  const url = new URL(address);
  if (url.protocol === 'file:') {
    if (policy.fileMarks !== undefined) return url;
    const message = `${printable(shown)} is a file, which only the embedded mode reads.`;
    throw new LonghaulError('ADDRESS_REFUSED', message, { hint: NO_FILES_HINT });
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw refused(shown, 'is neither http nor https');
  }
  if (url.username !== '' || url.password !== '') throw refused(shown, 'holds a user or password');
  // URL normalises decimal, octal and hexadecimal forms of IPv4, and puts IPv6 into brackets.
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) assertAllowedIp(host, policy, shown);
  return url;
}

/** A `lookup` for `net.connect`. It checks the same IP addresses that the worker then connects to. */
export function policedLookup(policy: AddressPolicy): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const [first] = addresses ?? [];
      if (error || !first) {
        callback(error ?? Object.assign(new Error('no address'), { code: 'ENOTFOUND' }), []);
        return;
      }
      try {
        for (const { address } of addresses) assertAllowedIp(address, policy, hostname);
      } catch (refusal) {
        callback(refusal as Error, []);
        return;
      }
      if (options.all) callback(null, addresses);
      else callback(null, first.address, first.family);
    });
  };
}

function assertAllowedIp(ip: string, policy: AddressPolicy, shown: string): void {
  const plain = embeddedIpv4(ip) ?? ip.replace(/%.*$/, '');
  const family = isIP(plain) === 6 ? 'ipv6' : 'ipv4';
  if (NEVER.check(plain, family)) throw refused(shown, `leads to ${ip}, which is link-local`);
  if (!policy.allowPrivate && PRIVATE.check(plain, family)) {
    throw refused(shown, `leads to ${ip}, which is not public`);
  }
}

/** Finds an IPv4 address inside an IPv6 address: mapped (`::ffff:a9fe:a9fe`), compatible, or NAT64. */
function embeddedIpv4(ip: string): string | undefined {
  const hex = /^(?:::ffff:|64:ff9b::|::)([\da-f]{1,4}):([\da-f]{1,4})$/i.exec(ip);
  if (hex) {
    const [high, low] = [Number.parseInt(hex[1] ?? '', 16), Number.parseInt(hex[2] ?? '', 16)];
    return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.');
  }
  return /^(?:::ffff:|64:ff9b::|::)(\d+\.\d+\.\d+\.\d+)$/i.exec(ip)?.[1];
}

function refused(shown: string, why: string): LonghaulError {
  return new LonghaulError('ADDRESS_REFUSED', `${printable(shown)} ${why}.`);
}

function blockList(...subnets: string[]): BlockList {
  const list = new BlockList();
  for (const subnet of subnets) {
    const [net = '', prefix] = subnet.split('/');
    list.addSubnet(net, Number(prefix), net.includes(':') ? 'ipv6' : 'ipv4');
  }
  return list;
}
