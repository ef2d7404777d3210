#pragma once

namespace holdfast {

// For a process whose memory holds keys: it leaves no core, and nobody but root may look into it (/proc/PID/mem,
// environ, fd; debuggers). HOLDFAST_CORE_DUMPS=1 leaves that as it is, for debugging.
void ForbidCoreDumps();

}  // namespace holdfast
