// HTTP methods that change nothing: their requests have other limits, errors and log levels.

export function isRead(method: string): boolean {
  return method === 'GET' || method === 'HEAD' || method === 'OPTIONS'
}
