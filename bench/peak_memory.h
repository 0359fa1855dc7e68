#pragma once

#include <fstream>
#include <string>

namespace tw {

/// The largest resident memory of this process so far; 0 when it cannot be read.
inline double PeakMegabytes() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stod(line.substr(6)) / 1024;
  }
  return 0;
}

}  // namespace tw
