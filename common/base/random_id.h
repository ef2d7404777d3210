#pragma once

#include <string>

namespace holdfast {

// 26 characters of [0-9a-v], 128 bits from the operating system's generator: unguessable, unique for all purposes here.
std::string RandomId();

}  // namespace holdfast
