#pragma once

#include <string>

namespace holdfast::test {

struct TestCertificate {
  std::string certificate_pem;
  std::string key_pem;
};

// Signed by itself, valid for the address 127.0.0.1 and for an hour.
TestCertificate MakeTestCertificate();

}  // namespace holdfast::test
