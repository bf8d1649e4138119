// What a section of docs/kafka-tools.md is made from: command lines as a user types them, in the order
// in which they run. In a line BROKER stands for the address, DATA for the data folder and FILES for a
// folder with the section's files; lines without BROKER get --bootstrap-server by themselves.

export interface Section {
  /** The heading, and what --only takes. */
  readonly name: string
  readonly steps: readonly Step[]
  /** Written into FILES before the first step: name -> content. */
  readonly files?: Readonly<Record<string, string>>
}

export type Step = Command | Start | Stop

/** Runs to its end. */
export interface Command {
  readonly kind: 'command'
  readonly line: string
  /** What it reads from its standard input. */
  readonly input?: string
  /** Not in the page: it only makes what the next ones look at, and must succeed. */
  readonly preparation?: boolean
  /** Whether its figures are measurements: the words around them are compared, and no repetitions. */
  readonly measures?: boolean
  /** Whether the order of its lines is nobody's promise. */
  readonly unordered?: boolean
  /** Why ours differs from Kafka's: only where it does. */
  readonly note?: string
}

/** Runs beside the next steps. */
export interface Start {
  readonly kind: 'start'
  readonly line: string
  /** The next step waits until it has printed this. */
  readonly until: RegExp
}

/** Ends the one that was started last. */
export interface Stop {
  readonly kind: 'stop'
  readonly signal: 'SIGTERM' | 'SIGKILL'
}

export function run(line: string, more: Partial<Omit<Command, 'kind' | 'line'>> = {}): Command {
  return { kind: 'command', line, ...more }
}

export function prepare(line: string, input = ''): Command {
  return { kind: 'command', line, input, preparation: true }
}

export function start(line: string, until: RegExp): Start {
  return { kind: 'start', line, until }
}

/** Killed, it leaves what it held to the broker's timeouts. */
export function stop(signal: Stop['signal'] = 'SIGTERM'): Stop {
  return { kind: 'stop', signal }
}
