import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Mailbox } from '../../../protocol/actor/mailbox.ts'

const operation = fc.oneof(
  { weight: 5, arbitrary: fc.constant('send' as const) },
  { weight: 4, arbitrary: fc.constant('take' as const) },
)

describe('Mailbox', () => {
  it('is a queue that never drops, overtakes or exceeds its bounds', () => {
    const bounds = fc.record({
      capacity: fc.integer({ min: 1, max: 40 }),
      maxWaiting: fc.integer({ min: 0, max: 20 }),
    })
    fc.assert(
      fc.property(bounds, fc.array(operation, { maxLength: 300 }), (limits, operations) => {
        const mailbox = new Mailbox<number, number>(limits.capacity, limits.maxWaiting)
        // The model: all messages kept and not yet taken, in order, and how many of them are
        // accepted.
        const kept: number[] = []
        let accepted = 0
        let next = 0
        const expectAdmissions = () => {
          for (let sender = mailbox.admit(); sender !== undefined; sender = mailbox.admit()) {
            expect(sender).toBe(kept[accepted])
            accepted++
          }
          const room = limits.capacity - accepted
          expect(room > 0 && accepted < kept.length).toBe(false)
        }
        for (const step of operations) {
          if (step === 'send') {
            const message = next++
            if (mailbox.offer(message)) {
              expect(accepted).toBe(kept.length)
              kept.push(message)
              accepted++
            } else if (mailbox.wait(message, message)) kept.push(message)
            else expect(kept.length - accepted).toBe(limits.maxWaiting)
          } else {
            expect(mailbox.take()).toBe(accepted > 0 ? kept.shift() : undefined)
            accepted = Math.max(0, accepted - 1)
          }
          expectAdmissions()
          expect(mailbox.size).toBe(accepted)
          expect(mailbox.waiting).toBe(kept.length - accepted)
          expect(mailbox.size).toBeLessThanOrEqual(limits.capacity)
        }
      }),
    )
  })

  it('accepts no message ahead of a waiting sender, even when there is room', () => {
    const mailbox = new Mailbox<string, string>(1, 10)
    mailbox.offer('a')
    mailbox.wait('b', 'sender of b')
    mailbox.take()
    expect(mailbox.offer('c')).toBe(false)
    expect(mailbox.admit()).toBe('sender of b')
  })

  it('accepts no message once closed, and still hands out those it holds', () => {
    const mailbox = new Mailbox<string, string>(1, 10)
    expect(mailbox.offer('a')).toBe(true)
    expect(mailbox.wait('b', 'sender of b')).toBe(true)
    mailbox.close()
    expect(mailbox.offer('c')).toBe(false)
    expect(mailbox.take()).toBe('a')
    expect(mailbox.admit()).toBe('sender of b')
    expect(mailbox.take()).toBe('b')
    expect(mailbox.offer('d')).toBe(false)
    expect(mailbox.isEmpty).toBe(true)
  })
})
