#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace holdfast::quota {

// An upstream that answers with whatever bytes the test wants, as many as are taken. One connection at a time, on a
// thread of its own, on 127.0.0.1 and a free port.
class HostileServer {
 public:
  class Connection {
   public:
    explicit Connection(boost::asio::ip::tcp::socket& socket, std::atomic<size_t>& sent)
        : socket_(socket), sent_(sent) {}
    // False: the other side has gone away.
    bool Send(const std::string& bytes);
    // The same again and again until the other side has had enough, or after 1 GiB.
    void SendForEver(const std::string& bytes);

   private:
    boost::asio::ip::tcp::socket& socket_;
    std::atomic<size_t>& sent_;
  };

  // `answer` is called for each request; when it returns, the connection is closed.
  explicit HostileServer(std::function<void(Connection&)> answer);
  ~HostileServer();

  std::string base_url() const;
  int connections() const { return connections_; }
  // Bytes that the kernel took, of all answers.
  size_t sent() const { return sent_; }
  // Heads and bodies, as they came.
  std::vector<std::string> requests() const;

 private:
  void Serve();
  std::string ReadRequest(boost::asio::ip::tcp::socket& socket);

  std::function<void(Connection&)> answer_;
  boost::asio::io_context context_;
  boost::asio::ip::tcp::acceptor acceptor_;
  std::atomic<bool> stopping_ = false;
  std::atomic<int> connections_ = 0;
  std::atomic<size_t> sent_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace holdfast::quota
