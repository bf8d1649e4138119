import { expect, test } from 'vitest'
import {
  isLoopback,
  isLoopbackHostHeader,
  isOwnOrigin,
} from '../../../../protocol/runtime/network/loopback.ts'

test('only loopback addresses are loopback', () => {
  for (const host of ['127.0.0.1', '127.1.2.3', 'localhost', 'LOCALHOST', '::1', '[::1]']) {
    expect(isLoopback(host), host).toBe(true)
  }
  for (const host of [
    '0.0.0.0',
    '::',
    '',
    '10.0.0.1',
    '127.0.0.1.example.org',
    '127.0.0.999',
    '128.0.0.1',
    'localhost.example.org',
  ]) {
    expect(isLoopback(host), host).toBe(false)
  }
})

test('a Host header with another name is refused, even if it resolves to loopback', () => {
  expect(isLoopbackHostHeader('127.0.0.1:8080')).toBe(true)
  expect(isLoopbackHostHeader('localhost')).toBe(true)
  expect(isLoopbackHostHeader('[::1]:8080')).toBe(true)
  expect(isLoopbackHostHeader('evil.example:8080')).toBe(false)
  expect(isLoopbackHostHeader(undefined)).toBe(false)
})

test('a request from a page of another origin is refused, one without an origin is not', () => {
  expect(isOwnOrigin(undefined, '127.0.0.1:8080')).toBe(true)
  expect(isOwnOrigin('http://127.0.0.1:8080', '127.0.0.1:8080')).toBe(true)
  expect(isOwnOrigin('http://LOCALHOST:8080', 'localhost:8080')).toBe(true)
  expect(isOwnOrigin('http://127.0.0.1:9999', '127.0.0.1:8080')).toBe(false)
  expect(isOwnOrigin('https://evil.example', '127.0.0.1:8080')).toBe(false)
  expect(isOwnOrigin('null', '127.0.0.1:8080')).toBe(false)
})
