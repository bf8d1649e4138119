// Memory of the threads of a job. V8 lets the young generation of each grow to 134 MB and keeps it, however little is
// in use: with a driver and executors, most of what a job takes. With this bound it is 34 MB.

/** Three times the semi-space: 16 MB, as in Node before version 22. */
export const youngGenerationMb = 48
