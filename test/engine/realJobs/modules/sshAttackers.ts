// Finds addresses that guess SSH passwords: ten failed attempts or more within 20 s of the server's
// log. The log covers one day of one server; when and how fast it is read does not matter. Attempts
// that arrive after their 20 s have closed are counted separately.

import { type Job, job, type LateRow, text, type WindowResult } from 'millrace/engine'

export interface Attempt {
  readonly timeMs: number
  readonly ip: string
  readonly attempts: number
}

export interface AttackOutputs {
  attacks(windows: readonly WindowResult<string, number>[]): unknown
  late(rows: readonly LateRow<string, Attempt>[]): unknown
}

export const threshold = 10
/** Syslog lines have no year. */
const year = Number(process.env.SSH_LOG_YEAR ?? 2025)
const pattern =
  /^(\w{3} [ \d]\d [\d:]{8}) \S+ sshd\[\d+\]: (?:message repeated (\d+) times: \[ )?Failed password for .* from (\S+) port /

function* attemptsIn(line: string): Generator<Attempt> {
  const [, time, repeated, ip] = pattern.exec(line) ?? []
  if (ip === undefined) return
  const timeMs = Date.parse(`${year} ${time} UTC`)
  yield { timeMs, ip, attempts: Number(repeated ?? 1) }
}

export function sshAttackers(outputs: AttackOutputs): Job {
  return job('ssh-attackers', (stream) => {
    const windows = stream
      .fromTopic('ssh', text())
      .flatMap(({ line }) => attemptsIn(line))
      .withWatermark(({ timeMs }) => timeMs, { delayMs: 30_000, uid: 'ssh' })
      .keyBy(({ ip }) => ip)
      .tumbling(20_000)
      .aggregate(
        { create: () => 0, add: (sum, { attempts }) => sum + attempts, merge: (a, b) => a + b },
        { uid: 'attempts' },
      )
    windows
      .filter(({ value }) => value >= threshold)
      .foreachRDD(async (rdd) => {
        await outputs.attacks(await rdd.collect())
      })
    windows.late.foreachRDD(async (rdd) => {
      await outputs.late(await rdd.collect())
    })
  })
}

export default sshAttackers({
  attacks: (windows) => {
    for (const { key, startMs, value } of windows) console.log(new Date(startMs), key, value)
  },
  late: (rows) => {
    for (const { key, row } of rows) console.log('late:', key, row.attempts)
  },
})
