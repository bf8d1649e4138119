// A module that exports no job.

export default 42
