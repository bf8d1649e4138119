// What an agent's metrics are read from: its components with their counters, as they are now.

import type {
  ChannelCounter,
  SinkCounter,
  SinkProgress,
  SourceCounter,
  SourceProgress,
} from './counters.ts'

export interface SourceFigures {
  readonly name: string
  readonly type: string
  readonly counter: SourceCounter
  readonly progress: SourceProgress
  /** How often it was started again after a failure. */
  readonly restarts: number
}

export interface ChannelFigures {
  readonly name: string
  readonly type: string
  readonly counter: ChannelCounter
  /** See Channel. */
  readonly oldestEventMs: number
  /** See Channel. */
  readonly stalledMs: number
}

export interface SinkFigures {
  readonly name: string
  readonly type: string
  readonly counter: SinkCounter
  readonly progress: SinkProgress
  /** How often it was started again after a failure. */
  readonly restarts: number
}

export interface AgentFigures {
  readonly name: string
  readonly sources: readonly SourceFigures[]
  readonly channels: readonly ChannelFigures[]
  readonly sinks: readonly SinkFigures[]
}
