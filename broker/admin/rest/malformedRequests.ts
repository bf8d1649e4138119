// Answers input that is not HTTP, too large or too slow: Node rejects it before it becomes a
// request.

import type { MalformedListener } from '../../../protocol/operations/lateServer.ts'
import { RestError } from './restError.ts'

/** Answers with the API's error body. There is no request, and therefore no request id. */
export const refuseMalformed: MalformedListener = (error, socket) => {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const { statusText, refusal } = refusalOf(error.code)
  const body = JSON.stringify(refusal.body('none'))
  const lines = [
    `HTTP/1.1 ${refusal.statusCode} ${statusText}`,
    'content-type: application/json; charset=utf-8',
    `content-length: ${Buffer.byteLength(body)}`,
    'x-request-id: none',
    'connection: close',
  ]
  // A client that does not close its side must not keep the connection open.
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

function refusalOf(code: string): { statusText: string; refusal: RestError } {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const message = 'the request took too long to arrive'
    const action = 'send the headers and the body of a request without pauses'
    return {
      statusText: 'Request Timeout',
      refusal: new RestError(408, 'REQUEST_TIMEOUT', message, action),
    }
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    const message = 'the request line and headers are too long'
    return {
      statusText: 'Request Header Fields Too Large',
      refusal: new RestError(
        431,
        'HEADERS_TOO_LARGE',
        message,
        'send shorter headers, or a shorter path and query',
      ),
    }
  }
  return {
    statusText: 'Bad Request',
    refusal: new RestError(400, 'MALFORMED_REQUEST', 'not an HTTP request', 'use HTTP/1.1'),
  }
}
