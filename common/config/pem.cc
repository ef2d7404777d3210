#include "common/config/pem.h"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

namespace holdfast {
namespace {

std::string ReadPem(Section& section, const char* key, const char* doc) {
  const auto path = section.String(key, doc);
  if (!path) return {};
  std::ifstream file(*path, std::ios::binary);
  std::stringstream text;
  text << file.rdbuf();
  if (!file.is_open() || text.str().empty()) section.Fail(key, fmt::format("the file {} cannot be read", *path));
  return text.str();
}

}  // namespace

std::optional<TlsServer> ReadTlsServer(Section& parent) {
  std::optional<TlsServer> server;
  parent.Map("tls", "TLS of the gRPC listener. Absent: plain text.", [&](Section& tls) {
    server.emplace();
    server->certificate = ReadPem(tls, "certificate", "PEM file with the chain. Required.");
    server->key = ReadPem(tls, "key", "PEM file. Required.");
    server->client_ca = ReadPem(tls, "client_ca", "PEM file; set: clients must show a certificate of this authority.");
    if (!tls.Has("certificate")) tls.Fail("certificate", "is required");
    if (!tls.Has("key")) tls.Fail("key", "is required");
  });
  return server;
}

std::optional<TlsClient> ReadTlsClient(Section& parent) {
  std::optional<TlsClient> client;
  parent.Map("tls", "TLS of this link. Absent: plain text; empty: the system's authorities.", [&](Section& tls) {
    client.emplace();
    client->server_ca = ReadPem(tls, "ca", "PEM file of the authority that signed the server. Absent: the system's.");
    client->certificate = ReadPem(tls, "certificate", "PEM file, shown to a server that asks.");
    client->key = ReadPem(tls, "key", "PEM file of its key.");
    if (client->certificate.empty() != client->key.empty())
      tls.Fail("certificate", "needs `key`, and the other way round");
  });
  return client;
}

}  // namespace holdfast
