// Describes all objects below a directory in text, one line of facts per path, so that two trees can be
// compared and a difference reads well. Written with plain system calls, apart from the code it checks.
#pragma once

#include <map>
#include <string>

namespace holdfast::test {

struct DescribeOptions {
  bool times = true;
  bool owners = true;
};

std::map<std::string, std::string> describe_tree(const std::string& top, DescribeOptions options = {});

}  // namespace holdfast::test
