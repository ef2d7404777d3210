#pragma once

#include <string>

namespace holdfast::test {

// "127.0.0.1:PORT" that nobody listens on now, for a server that is to come back on it after it was killed. The port is
// below those that the kernel gives to others (/proc/sys/net/ipv4/ip_local_port_range), or one of those would be taken
// now and then while the server is away.
std::string LastingAddress();

}  // namespace holdfast::test
