#include "common/http/content_decoder.h"

#include <fmt/format.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cctype>

namespace holdfast {
namespace {

constexpr size_t kMostAtOnce = size_t{1} << 20;
constexpr size_t kStep = size_t{64} << 10;
// No body needs a larger window than this, and a decoder allocates what the frame asks for.
constexpr int kMostZstdWindowLog = 23;

class ZlibDecoder final : public ContentDecoder {
 public:
  ZlibDecoder() {
    constexpr int kAnyHeader = 32;  // gzip's or zlib's, whichever comes
    ready_ = inflateInit2(&stream_, kAnyHeader + MAX_WBITS) == Z_OK;
  }
  ~ZlibDecoder() override { inflateEnd(&stream_); }

  absl::Status Feed(std::string_view* bytes, std::string* decoded) override {
    if (!ready_) return absl::ResourceExhaustedError("no memory to decode the body");
    if (ended_ && !bytes->empty()) return Broken();
    const size_t before = decoded->size();
    while ((!bytes->empty() || pending_) && !ended_ && decoded->size() - before < kMostAtOnce) {
      const size_t at = decoded->size();
      decoded->resize(at + kStep);
      stream_.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes->data()));
      stream_.avail_in = static_cast<uInt>(std::min<size_t>(bytes->size(), kStep));
      const uInt offered = stream_.avail_in;
      stream_.next_out = reinterpret_cast<Bytef*>(decoded->data() + at);
      stream_.avail_out = kStep;
      const int result = inflate(&stream_, Z_NO_FLUSH);
      decoded->resize(at + kStep - stream_.avail_out);
      bytes->remove_prefix(offered - stream_.avail_in);
      pending_ = stream_.avail_out == 0;
      if (result == Z_STREAM_END) {
        ended_ = true;
        pending_ = false;
        if (!bytes->empty()) return Broken();
      } else if (result != Z_OK && result != Z_BUF_ERROR) {
        return Broken();
      }
    }
    return absl::OkStatus();
  }

  bool pending() const override { return pending_; }
  absl::Status Finish() override { return ended_ ? absl::OkStatus() : Broken(); }

 private:
  static absl::Status Broken() {
    return absl::InvalidArgumentError("the body is not what its content-encoding says (gzip or deflate)");
  }

  z_stream stream_{};
  bool ready_ = false;
  bool ended_ = false;
  bool pending_ = false;  // output, inside the decoder
};

class ZstdDecoder final : public ContentDecoder {
 public:
  ZstdDecoder() : context_(ZSTD_createDCtx()) {
    if (context_ != nullptr) ZSTD_DCtx_setParameter(context_.get(), ZSTD_d_windowLogMax, kMostZstdWindowLog);
  }

  absl::Status Feed(std::string_view* bytes, std::string* decoded) override {
    if (context_ == nullptr) return absl::ResourceExhaustedError("no memory to decode the body");
    const size_t before = decoded->size();
    while ((!bytes->empty() || pending_) && decoded->size() - before < kMostAtOnce) {
      const size_t at = decoded->size();
      decoded->resize(at + kStep);
      ZSTD_inBuffer in{bytes->data(), bytes->size(), 0};
      ZSTD_outBuffer out{decoded->data() + at, kStep, 0};
      const size_t result = ZSTD_decompressStream(context_.get(), &out, &in);
      decoded->resize(at + out.pos);
      bytes->remove_prefix(in.pos);
      if (ZSTD_isError(result) != 0) return Broken(ZSTD_getErrorName(result));
      whole_ = result == 0;
      pending_ = out.pos == kStep && !whole_;
    }
    return absl::OkStatus();
  }

  bool pending() const override { return pending_; }
  absl::Status Finish() override { return whole_ ? absl::OkStatus() : Broken("it ends too early"); }

 private:
  struct Free {
    void operator()(ZSTD_DCtx* context) const { ZSTD_freeDCtx(context); }
  };

  static absl::Status Broken(const char* what) {
    return absl::InvalidArgumentError(fmt::format("the body is not what its content-encoding says (zstd): {}", what));
  }

  std::unique_ptr<ZSTD_DCtx, Free> context_;
  bool whole_ = false;
  bool pending_ = false;  // output, inside the decoder
};

}  // namespace

absl::StatusOr<std::unique_ptr<ContentDecoder>> ContentDecoder::Make(std::string_view encoding) {
  std::string name(encoding);
  std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::tolower(c); });
  if (name.empty() || name == "identity") return std::unique_ptr<ContentDecoder>();
  if (name == "gzip" || name == "x-gzip" || name == "deflate") return std::make_unique<ZlibDecoder>();
  if (name == "zstd") return std::make_unique<ZstdDecoder>();
  return absl::UnimplementedError("content-encoding: only gzip, deflate, zstd and identity are known here");
}

}  // namespace holdfast
