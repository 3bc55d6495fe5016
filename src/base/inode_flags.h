// The flags of chattr(1) and the project of project quotas, as the kernel has them. Every function returns 0
// or an errno value; not_there() tells which of these mean that a file system has no such thing. Descriptors
// are of files and directories, not of O_PATH. For any thread.
#pragma once

#include <cstdint>

namespace holdfast {

int get_inode_flags(int fd, std::uint32_t& flags);
int set_inode_flags(int fd, std::uint32_t flags);

int get_project(int fd, std::uint32_t& project);
int set_project(int fd, std::uint32_t project);

// Of what can't be opened: links, fifos, sockets, devices. An empty name stands for what `directory` itself
// is: anything open with O_PATH. Needs Linux 6.17.
int get_project_at(int directory, const char* name, std::uint32_t& project);
int set_project_at(int directory, const char* name, std::uint32_t project);

bool not_there(int failure);

}  // namespace holdfast
