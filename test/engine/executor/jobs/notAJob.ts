// A module that does not export a job.

export default 42
