#include "core/own_file.hpp"

#include <sys/stat.h>

#include <cstdio>
#include <utility>

namespace peal::core {

OwnFile::OwnFile(std::string path, uint64_t inode) : path_(std::move(path)), inode_(inode) {}

OwnFile::OwnFile(OwnFile&& other) noexcept
    : path_(std::exchange(other.path_, {})), inode_(other.inode_) {}

OwnFile& OwnFile::operator=(OwnFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(inode_, other.inode_);
  return *this;
}

OwnFile::~OwnFile() {
  struct stat status {};
  if (path_.empty() || ::lstat(path_.c_str(), &status) != 0) return;
  if (status.st_ino == inode_) std::remove(path_.c_str());
}

}  // namespace peal::core
