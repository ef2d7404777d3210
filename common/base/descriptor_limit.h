#pragma once

#include <cstddef>

namespace holdfast {

// How many descriptors this process may have open.
size_t DescriptorLimit();

// Raises that to the most that the process may raise it to, the hard limit (getrlimit(2)).
void RaiseDescriptorLimit();

}  // namespace holdfast
