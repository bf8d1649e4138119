// max.connections.per.ip.overrides: limits for single addresses, as `address:number` separated by
// commas. Kafka also accepts host names and resolves them. Here a host name is refused: names are
// not resolved, and a limit that applies to no client would be ignored silently.

export const connectionOverridesBounds =
  'IP addresses with a number each, such as 127.0.0.1:200,[::1]:200'

/** The limits by address; undefined for a text that is malformed. */
export function parseConnectionOverrides(text: string): ReadonlyMap<string, number> | undefined {
  const limits = new Map<string, number>()
  for (const entry of text.split(',').map((each) => each.trim())) {
    if (entry === '') continue
    const [, host, count] = /^(.+):(\d{1,9})$/.exec(entry) ?? []
    const address = host === undefined ? undefined : ipAddress(host.trim())
    if (address === undefined) return undefined
    limits.set(address, Number(count))
  }
  return limits
}

/**
 * The canonical spelling of an IP address: IPv6 as in URLs but without brackets, IPv4-mapped IPv6
 * as IPv4. Undefined for anything else, such as a host name.
 */
export function ipAddress(host: string): string | undefined {
  const bare = host.replace(/^\[(.*)\]$/, '$1')
  if (!bare.includes(':')) return isIpv4(bare) ? bare : undefined
  const url = URL.parse(`http://[${bare}]/`)
  if (url === null) return undefined
  const address = url.hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(address)
  return mapped ? ipv4Of(mapped[1]!, mapped[2]!) : address
}

function isIpv4(text: string): boolean {
  const parts = text.split('.')
  return parts.length === 4 && parts.every((part) => /^(0|[1-9]\d{0,2})$/.test(part) && +part < 256)
}

function ipv4Of(high: string, low: string): string {
  const bits = [Number.parseInt(high, 16), Number.parseInt(low, 16)]
  return bits.flatMap((sixteen) => [sixteen >> 8, sixteen & 0xff]).join('.')
}
