// The faults of a plan, as data: what is done to whom, and when. Everything drawn inside a fault
// (in which order links are clogged, which bytes are torn) comes from the seed of the plan.

import type { DiskErrorCode } from '../world/disk/diskFaults.ts'

/** In virtual time, or once so many events have run. */
export type Trigger = { readonly atMs: number } | { readonly afterEvents: number }

interface OfHost {
  readonly at: Trigger
  readonly host: string
}

/** A process that ends is started again after `downMs`. */
export interface Kill extends OfHost {
  readonly kind: 'kill'
  readonly process: string
  readonly downMs: number
}

/** Stops a process as SIGTERM does. */
export interface Stop extends OfHost {
  readonly kind: 'stop'
  readonly process: string
  readonly downMs: number
}

export interface LosePower extends OfHost {
  readonly kind: 'losePower'
  readonly losesAll: boolean
  readonly reorders: boolean
  readonly downMs: number
}

export interface Pause extends OfHost {
  readonly kind: 'pause'
  readonly process: string
  readonly forMs: number
}

export interface JumpWallClock extends OfHost {
  readonly kind: 'jumpWallClock'
  readonly byMs: number
}

/** Cuts the direction from the host to `to`, or all directions from it, or all to and from it. */
export interface Cut extends OfHost {
  readonly kind: 'cut'
  readonly to: string
  readonly isOneWay: boolean
  readonly forMs: number
}

/** Clogs the links of a host one by one, and opens them one by one in another order. */
export interface Swizzle extends OfHost {
  readonly kind: 'swizzle'
  readonly stepMs: number
  readonly forMs: number
}

/** Breaks each connection of the host with this chance. */
export interface BreakConnections extends OfHost {
  readonly kind: 'breakConnections'
  readonly chance: number
}

export interface SlowNetwork extends OfHost {
  readonly kind: 'slowNetwork'
  readonly factor: number
  readonly forMs: number
}

export interface FailCall extends OfHost {
  readonly kind: 'failCall'
  readonly code: DiskErrorCode
  readonly operation?: string
  readonly path?: string
  /** Matching calls that succeed before it. */
  readonly after: number
}

export interface FillDisk extends OfHost {
  readonly kind: 'fillDisk'
  readonly forMs: number
}

export interface SlowDisk extends OfHost {
  readonly kind: 'slowDisk'
  readonly factor: number
  readonly forMs: number
}

export type Fault =
  | Kill
  | Stop
  | LosePower
  | Pause
  | JumpWallClock
  | Cut
  | Swizzle
  | BreakConnections
  | SlowNetwork
  | FailCall
  | FillDisk
  | SlowDisk

export type FaultKind = Fault['kind']

/** One line for people. */
export function describeFault(fault: Fault): string {
  const { host } = fault
  switch (fault.kind) {
    case 'kill':
      return `SIGKILL ${fault.process} on ${host}; started again ${ms(fault.downMs)} later`
    case 'stop':
      return `SIGTERM ${fault.process} on ${host}; started again ${ms(fault.downMs)} later`
    case 'losePower': {
      const how = fault.losesAll ? 'all that was not synced is lost' : 'unsynced writes are torn'
      return `${host} loses power (${how}${fault.reorders ? ', reordered' : ''}) for ${ms(fault.downMs)}`
    }
    case 'pause':
      return `SIGSTOP ${fault.process} on ${host} for ${ms(fault.forMs)}`
    case 'jumpWallClock':
      return `the wall clock of ${host} jumps by ${ms(fault.byMs)}`
    case 'cut': {
      const arrow = fault.isOneWay ? '->' : '<->'
      return `the network ${host} ${arrow} ${fault.to} is cut for ${ms(fault.forMs)}`
    }
    case 'swizzle':
      return `the links of ${host} are clogged one by one, for ${ms(fault.forMs)} each`
    case 'breakConnections':
      return `connections of ${host} are reset, each with a chance of ${fault.chance}`
    case 'slowNetwork':
      return `the network of ${host} is ${fault.factor} times slower for ${ms(fault.forMs)}`
    case 'failCall': {
      const call = `${fault.operation ?? 'system call'}${fault.path ? ` of *${fault.path}*` : ''}`
      return `${fault.code} from a ${call} on ${host}, after ${fault.after} that succeed`
    }
    case 'fillDisk':
      return `the disk of ${host} is full for ${ms(fault.forMs)}`
    case 'slowDisk':
      return `the disk of ${host} is ${fault.factor} times slower for ${ms(fault.forMs)}`
  }
}

function ms(durationMs: number): string {
  return `${Math.round(durationMs)} ms`
}
