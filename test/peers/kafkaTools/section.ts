// A section of docs/kafka-tools.md: command lines as a user types them, in the order in which they
// run. In a line BROKER stands for the address, DATA for the data directory and FILES for a
// directory with the section's files; lines without BROKER get --bootstrap-server automatically.

export interface Section {
  /** The heading, and the argument of --only. */
  readonly name: string
  readonly steps: readonly Step[]
  /** Files to write into FILES before the first step: name -> content. */
  readonly files?: Readonly<Record<string, string>>
}

export type Step = Command | Start | Stop

/** A command that runs to its end. */
export interface Command {
  readonly kind: 'command'
  readonly line: string
  /** Its standard input. */
  readonly input?: string
  /** Not in the page: it only prepares the next commands, and must succeed. */
  readonly preparation?: boolean
  /**
   * Whether its output has measurements: only the words around them are compared, without
   * repetitions.
   */
  readonly measures?: boolean
  /** Whether the order of its lines is unspecified. */
  readonly unordered?: boolean
  /** The reason for a difference from Kafka, if there is one. */
  readonly note?: string
}

/** A command that runs while the next steps run. */
export interface Start {
  readonly kind: 'start'
  readonly line: string
  /** The output that the next step waits for. */
  readonly until: RegExp
}

/** Ends the command that was started last. */
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

/** Kills it, so that the broker's timeouts release its resources. */
export function stop(signal: Stop['signal'] = 'SIGTERM'): Stop {
  return { kind: 'stop', signal }
}
