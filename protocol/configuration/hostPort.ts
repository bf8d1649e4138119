// Parses `host:port` in command lines and configuration files; an IPv6 address is in brackets.

import type { Address } from '../runtime/network/network.ts'

/** Returns undefined for a malformed text. Port 0, which selects a free port, is valid. */
export function parseHostPort(text: string): Address | undefined {
  const [, bracketed, name, port] =
    /^(?:\[([^\]]+)\]|([^\s:[\]]+)):(\d{1,5})$/.exec(text.trim()) ?? []
  const host = bracketed ?? name
  if (host === undefined || Number(port) > 65_535) return undefined
  return { host, port: Number(port) }
}
