// Histories as JSON lines: what is written is read again, and what is not a history is refused.

import { describe, expect, test } from 'vitest'
import { seededRandom } from '../../../protocol/runtime/random.ts'
import { formatHistory, HistoryError, parseHistory } from './historyFile.ts'
import { modelHistory } from './modelHistory.ts'

describe('histories as text', () => {
  test('a history is read as it was written', () => {
    for (let seed = 0; seed < 20; seed++) {
      const history = modelHistory(seededRandom(seed), 500)
      expect(parseHistory(formatHistory(history))).toEqual(history)
    }
  })

  const send = { kind: 'send', partition: 'a-0', value: 1 }
  const entry = { id: 0, process: 'p', type: 'invoke', timeMs: 0, operation: send }

  test.each([
    ['what is not JSON', ['{'], 'line 1 of the history is not JSON'],
    ['what is not an object', ['3'], 'line 1 of the history is not an object'],
    ['an entry without a process', [{ ...entry, process: 1 }], 'has no process'],
    ['an unknown type', [{ ...entry, type: 'maybe' }], 'has no type'],
    ['an unknown kind', [{ ...entry, operation: { kind: 'toString' } }], 'unknown kind toString'],
    [
      'a wrong field',
      [{ ...entry, operation: { ...send, value: null } }],
      'whose value is not valid',
    ],
    ['a wrong offset', [{ ...entry, operation: { ...send, offset: 1.5 } }], 'whose offset is not'],
    [
      'a wrong step of a transaction',
      [{ ...entry, operation: { kind: 'txn', end: 'commit', steps: [{ kind: 'crash' }] } }],
      'whose steps is not valid',
    ],
    [
      'a second invocation',
      [entry, entry],
      'line 2 of the history invokes the operation 0 a second',
    ],
    [
      'a second completion',
      [entry, { ...entry, type: 'ok' }, { ...entry, type: 'info' }],
      'line 3 of the history completes the operation 0 a second time',
    ],
    ['a completion without an invocation', [{ ...entry, type: 'fail' }], 'which was not invoked'],
    [
      'a completion by another process',
      [entry, { ...entry, type: 'ok', process: 'q' }],
      'another process',
    ],
    [
      'a completion as another kind',
      [entry, { ...entry, type: 'ok', operation: { kind: 'crash' } }],
      'as another kind',
    ],
  ])('%s is refused', (_what, lines, message) => {
    const text = lines
      .map((line) => (typeof line === 'string' ? line : JSON.stringify(line)))
      .join('\n')
    expect(() => parseHistory(text)).toThrow(HistoryError)
    expect(() => parseHistory(text)).toThrow(message)
  })

  test('unknown fields and empty lines are ignored', () => {
    expect(parseHistory(`\n${JSON.stringify({ ...entry, host: 'b1' })}\n\n`)).toHaveLength(1)
  })
})
