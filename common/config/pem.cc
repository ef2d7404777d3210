#include "common/config/pem.h"

#include <fmt/format.h>

#include "common/config/shown.h"
#include "common/config/small_file.h"

namespace holdfast {
namespace {

constexpr size_t kMostPemBytes = 1024 * 1024;

std::string ReadPem(Section& section, const char* key, const char* doc) {
  const auto path = section.String(key, doc);
  if (!path) return {};
  auto text = ReadSmallFile(*path, kMostPemBytes, ShownFile(*path));
  if (!text.ok()) {
    section.Fail(key, std::string(text.status().message()));
    return {};
  }
  if (text->find("-----BEGIN ") == std::string::npos) {
    section.Fail(key, fmt::format("{} is not PEM: it has no line \"-----BEGIN …\"", ShownFile(*path)));
  }
  return *std::move(text);
}

}  // namespace

std::optional<TlsServer> ReadTlsServer(Section& parent) {
  std::optional<TlsServer> server;
  parent.Map("tls", "TLS of the gRPC listener. Absent: plain text.", [&](Section& tls) {
    server.emplace();
    server->certificate = ReadPem(tls, "certificate", "PEM file with the chain. Required.");
    server->key = ReadPem(tls, "key", "PEM file. Required.");
    server->client_ca = ReadPem(tls, "client_ca", "PEM file; set: clients must show a certificate of this authority.");
    if (server->certificate.empty()) tls.Fail("certificate", "is required");
    if (server->key.empty()) tls.Fail("key", "is required");
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
