#pragma once
// A file that this process has made, for as long as it is still ours. It knows a path and an inode,
// and nothing of what stands in the file.

#include <cstdint>
#include <string>

namespace peal::core {

/// Goes with this object, unless somebody has put another file in its place.
class OwnFile {
 public:
  OwnFile() = default;  // Of none.
  OwnFile(std::string path, uint64_t inode);
  OwnFile(OwnFile&& other) noexcept;
  OwnFile& operator=(OwnFile&& other) noexcept;  // The old file goes with `other`.
  ~OwnFile();

 private:
  std::string path_;
  uint64_t inode_ = 0;
};

}  // namespace peal::core
