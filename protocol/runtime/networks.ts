// Several networks as one: which of them carries a connection is decided by its address, so that a
// program reaches the embedded broker through memory and every other one over TCP.

import type { Address, Network } from './network.ts'

/** `routes` is asked for every `connect` and `listen`. */
export function routedNetwork(routes: (address: Address) => Network): Network {
  return {
    connect: (address, timeoutMs) => routes(address).connect(address, timeoutMs),
    listen: (address, onConnection) => routes(address).listen(address, onConnection),
  }
}
