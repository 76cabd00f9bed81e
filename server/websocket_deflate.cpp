#include "server/websocket_deflate.hpp"

#include <zlib.h>

#include <cassert>
#include <new>
#include <utility>

namespace peal::server {
namespace {

constexpr int raw_window_bits = -15;  // Without zlib's own head and checksum.
constexpr int memory_level = 8;       // zlib's usual.

// A message ends with an empty stored block, of which these bytes are left out.
constexpr std::string_view block_end{"\0\0\xff\xff", 4};

Bytef* bytes_of(std::string_view text) {
  return reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));
}

}  // namespace

Inflater::Inflater() : stream_(std::make_unique<z_stream_s>()) {
  if (inflateInit2(stream_.get(), raw_window_bits) != Z_OK) throw std::bad_alloc();
}
Inflater::~Inflater() { inflateEnd(stream_.get()); }

void Inflater::begin() {
  inflateReset(stream_.get());
  stream_->avail_in = 0;
  last_ = false;
}

void Inflater::set_input(std::string_view bytes, bool last) {
  stream_->next_in = bytes_of(bytes);
  stream_->avail_in = static_cast<uInt>(bytes.size());
  last_ = last;
}

std::string_view Inflater::rest() const {
  return {reinterpret_cast<const char*>(stream_->next_in), stream_->avail_in};
}

Inflater::Outcome Inflater::read(std::span<char> out, size_t& filled) {
  stream_->next_out = bytes_of({out.data(), out.size()});
  stream_->avail_out = static_cast<uInt>(out.size());
  Outcome outcome = Outcome::more;
  while (stream_->avail_out > 0) {
    const int result = inflate(stream_.get(), Z_SYNC_FLUSH);
    if (result == Z_STREAM_END) {
      // A sender may end its stream, and begin another in the same message.
      inflateReset(stream_.get());
    } else if (result != Z_OK && result != Z_BUF_ERROR) {
      outcome = Outcome::broken;
      break;
    }
    if (stream_->avail_in > 0 || stream_->avail_out == 0) continue;
    if (!std::exchange(last_, false)) {
      outcome = Outcome::input_read;
      break;
    }
    stream_->next_in = bytes_of(block_end);
    stream_->avail_in = block_end.size();
  }
  filled = out.size() - stream_->avail_out;
  return outcome;
}

Deflater::Deflater() : stream_(std::make_unique<z_stream_s>()) {
  if (deflateInit2(stream_.get(), Z_BEST_SPEED, Z_DEFLATED, raw_window_bits, memory_level,
                   Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::bad_alloc();
  }
}
Deflater::~Deflater() { deflateEnd(stream_.get()); }

void Deflater::begin() {
  deflateReset(stream_.get());
  out_.clear();
}

void Deflater::add(std::string_view bytes) {
  stream_->next_in = bytes_of(bytes);
  stream_->avail_in = static_cast<uInt>(bytes.size());
  work(Z_NO_FLUSH);
}

std::string_view Deflater::end() {
  work(Z_SYNC_FLUSH);
  assert(out_.ends_with(block_end));
  return std::string_view(out_).substr(0, out_.size() - block_end.size());
}

void Deflater::work(int flush) {
  constexpr size_t step_bytes = 16 * 1024;
  do {
    const size_t had = out_.size();
    out_.resize(had + step_bytes);
    stream_->next_out = reinterpret_cast<Bytef*>(out_.data() + had);
    stream_->avail_out = step_bytes;
    [[maybe_unused]] const int result = deflate(stream_.get(), flush);
    assert(result == Z_OK || result == Z_BUF_ERROR);
    out_.resize(out_.size() - stream_->avail_out);
  } while (stream_->avail_out == 0);
}

}  // namespace peal::server
