// Combines several networks: the address of a connection selects its network, so that a program
// connects to its embedded broker in memory and to every other broker over TCP.

import type { Address, Network } from './network.ts'

/** Returns a network that calls `routes` for every `connect` and `listen`. */
export function routedNetwork(routes: (address: Address) => Network): Network {
  return {
    connect: (address, timeoutMs) => routes(address).connect(address, timeoutMs),
    listen: (address, onConnection) => routes(address).listen(address, onConnection),
  }
}
