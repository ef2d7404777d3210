#pragma once

#include <optional>
#include <string>

#include "common/config/section.h"
#include "common/rpc/tls.h"

namespace holdfast {

// The `tls` section of a listener: certificate, key, client_ca, each the path of a PEM file.
std::optional<TlsServer> ReadTlsServer(Section& parent);
// The `tls` section of a link to another service: ca, certificate, key.
std::optional<TlsClient> ReadTlsClient(Section& parent);

}  // namespace holdfast
