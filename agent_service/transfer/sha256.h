#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>
#include <string_view>

namespace holdfast::agent {

// SHA-256 of bytes that come in pieces.
class Sha256 {
 public:
  Sha256();

  void Add(std::string_view bytes);
  // 64 lower-case hexadecimal digits; of all that was added so far. Once.
  std::string Hex();

 private:
  struct Free {
    void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  };
  std::unique_ptr<EVP_MD_CTX, Free> context_;
};

}  // namespace holdfast::agent
