// max.connections.per.ip.overrides: limits for single addresses, as `address:number` separated by
// commas. Kafka also takes names of hosts here and looks them up; a name is refused, because nothing is
// looked up here, and a limit that holds for nobody would be ignored without a word.

export const connectionOverridesBounds =
  'IP addresses with a number each, such as 127.0.0.1:200,[::1]:200'

/** Limits by address; undefined when the text cannot be read. */
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
 * One spelling of an IP address: an IPv6 address is written as URLs write it, without brackets, and one
 * that stands for an IPv4 address as that. Undefined for anything else, such as a name.
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
