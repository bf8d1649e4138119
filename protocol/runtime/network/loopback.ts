// Recognizes loopback addresses. HTTP servers have no authentication yet and are therefore
// restricted to loopback: they bind no other address by default, and refuse requests that a browser
// sends under another host name (DNS rebinding) or for a page of another origin.

/** Whether an address to bind is reachable only from this host. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase().replace(/^\[(.*)\]$/, '$1')
  if (name === 'localhost' || name === '::1') return true
  const parts = name.split('.')
  return (
    parts.length === 4 &&
    parts[0] === '127' &&
    parts.every((part) => /^\d{1,3}$/.test(part) && Number(part) <= 255)
  )
}

/** Whether an HTTP Host header, with or without a port, names a loopback address. */
export function isLoopbackHostHeader(header: string | undefined): boolean {
  return header !== undefined && isLoopback(header.replace(/:\d+$/, ''))
}

/**
 * Whether a request comes from a page of this server, or from a program that is not a browser and
 * sends no `Origin`. A page of any site can make a browser send requests to this host; the
 * same-origin policy would hide only the response from that page.
 */
export function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}

/** Formats a host for a URL: an IPv6 address is put in brackets. */
export function urlHost(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}
