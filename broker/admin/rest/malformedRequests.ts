// What is not HTTP, too long for it, or too slow: Node ends it before it is a request.

import type { MalformedListener } from '../../../protocol/operations/lateServer.ts'
import { RestError } from './restError.ts'

/** Answers in the shape of the API's errors. There is no request, and so no request id. */
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
  // A client that does not close its side must not keep the connection.
  socket.end(`${lines.join('\r\n')}\r\n\r\n${body}`, () => socket.destroy())
}

function refusalOf(code: string): { statusText: string; refusal: RestError } {
  if (code === 'ERR_HTTP_REQUEST_TIMEOUT') {
    const message = 'the request took too long to arrive'
    const action = 'send the headers and the body of a request without a break'
    return {
      statusText: 'Request Timeout',
      refusal: new RestError(408, 'REQUEST_TIMEOUT', message, action),
    }
  }
  if (code === 'HPE_HEADER_OVERFLOW') {
    const message = 'the request line and headers are too long'
    return {
      statusText: 'Request Header Fields Too Large',
      refusal: new RestError(431, 'HEADERS_TOO_LARGE', message, 'send less'),
    }
  }
  return {
    statusText: 'Bad Request',
    refusal: new RestError(400, 'MALFORMED_REQUEST', 'this is not an HTTP request', 'use HTTP/1.1'),
  }
}
