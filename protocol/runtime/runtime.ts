// Everything that a program uses of its environment, in one value that is passed in at the top:
// nothing else is ambient. Each part is an interface with an implementation for production and one
// for tests and simulators. Map of the folder:
//
// - clock.ts: time; manualClock.ts for tests, stallTolerantClock.ts for deadlines of clients
// - scheduler.ts: tasks of the event loop; simulatedScheduler.ts draws their order
// - random.ts: seeded or system randomness
// - disk.ts: files; nodeDisk.ts, and memoryDisk.ts with power failures (memoryInode.ts,
//   memoryNames.ts, diskCompletions.ts)
// - keyValueStore.ts: sorted keys; levelStore.ts (levelError.ts), and memoryStore.ts
// - network.ts: byte streams; tcpNetwork.ts (receiveBuffer.ts), memoryNetwork.ts (networkFaults.ts)
//   and portNetwork.ts for worker threads (portConnection.ts); networks.ts routes between them
// - groupCommit.ts, sharedRuns.ts: one sync for many callers
// - assert.ts, codedError.ts, operational.ts: invariants, operational errors, telling them apart
// - nodeRuntime.ts: the production runtime
// - the process and its host: standardStreams.ts, rotatedFile.ts, processFigures.ts,
//   dataLocation.ts, temporaryDirectory.ts, hostName.ts, loopback.ts, codeCache.ts, nodeVersion.ts,
//   ownPackage.ts
//
// Contract: whoever creates the runtime controls time, the order of concurrent events, power
// failures and lost connections. Code above this folder must never use timers, files, sockets or
// randomness directly, and no file here knows Kafka or a program of Millrace.

import type { Disk } from './disk/disk.ts'
import type { Network } from './network/network.ts'
import type { Random } from './random.ts'
import type { Scheduler } from './scheduling/scheduler.ts'
import type { Clock } from './time/clock.ts'

export interface Runtime {
  readonly clock: Clock
  readonly random: Random
  readonly disk: Disk
  readonly network: Network
  readonly scheduler: Scheduler
}
