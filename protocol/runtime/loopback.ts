// Which addresses are this machine's own. What is served over HTTP has no login yet, so it is served on
// this machine alone: it binds no other address, and it answers no request that a browser sends under
// another name (DNS rebinding) or for a page of another site.

/** Whether a name or address that one would bind can only be reached from this machine. */
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

/** Whether an HTTP Host header (with or without a port) names this machine. */
export function isLoopbackHostHeader(header: string | undefined): boolean {
  return header !== undefined && isLoopback(header.replace(/:\d+$/, ''))
}

/**
 * Whether a request may be answered as far as the page is concerned for which a browser sends it:
 * programs that are no browser send no `Origin`. A page of any site can make a browser send a request to
 * this machine, and only the answer would be kept from it.
 */
export function isOwnOrigin(origin: string | undefined, host: string | undefined): boolean {
  if (origin === undefined) return true
  return host !== undefined && URL.canParse(origin) && new URL(origin).host === host.toLowerCase()
}

/** A host as a URL has it: an IPv6 address in brackets. */
export function urlHost(host: string): string {
  return host.includes(':') && !host.startsWith('[') ? `[${host}]` : host
}
