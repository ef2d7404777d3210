#pragma once

#include <optional>
#include <string>

namespace holdfast {

// PEM texts, not paths.
struct TlsServer {
  std::string certificate;
  std::string key;
  std::string client_ca;  // set: clients must show a certificate that this authority signed
};

struct TlsClient {
  std::string server_ca;    // empty: the system's
  std::string certificate;  // with `key`, shown to servers that ask
  std::string key;
};

}  // namespace holdfast
