// Does one fault, by name: the tests of CMakeLists.txt see that the sanitizers of this build stop
// the program. What the compiler would see through is volatile.
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string_view>
#include <thread>
#include <vector>

namespace {

volatile int zero = 0;
volatile int one = 1;
volatile int big = 2147483647;
volatile std::int64_t sink = 0;
int shared_by_threads = 0;

int* volatile address_of_local = nullptr;

void KeepAddressOfLocal() {
  int local = one;
  address_of_local = &local;
  sink = *address_of_local;
}

int Falls(int value) {
  if (value == 1) __builtin_unreachable();
  return value;
}

void Address(std::string_view fault) {
  if (fault == "use-after-free") {
    int* volatile freed = new int(one);
    delete freed;
    sink = *freed;
  } else if (fault == "heap-overflow") {
    const std::vector<int> numbers(static_cast<std::size_t>(one));
    sink = numbers.data()[one];
  } else if (fault == "stack-overflow") {
    int numbers[2] = {one, one};
    int* volatile first = numbers;
    sink = first[one + 1];
  } else if (fault == "use-after-return") {
    KeepAddressOfLocal();
    sink = *address_of_local;
  } else if (fault == "null") {
    int* volatile nothing = nullptr;
    sink = *nothing;
  }
}

void Undefined(std::string_view fault) {
  if (fault == "signed-overflow") {
    sink = big + one;
  } else if (fault == "shift") {
    sink = one << (big - 2147483600);
  } else if (fault == "divide") {
    sink = one / zero;
  } else if (fault == "bounds") {
    int numbers[2] = {one, one};
    sink = numbers[one + 1];
  } else if (fault == "bool") {
    bool flag = false;
    bool* volatile address = &flag;
    std::memset(address, 7, 1);
    sink = *address ? 1 : 0;
  } else if (fault == "unreachable") {
    sink = Falls(one);
  } else if (fault == "alignment") {
    alignas(8) char bytes[16] = {};
    char* volatile odd = bytes + 1;
    sink = *reinterpret_cast<std::int64_t*>(odd);
  }
}

void Thread(std::string_view fault) {
  if (fault != "data-race") return;
  std::thread other([] { ++shared_by_threads; });
  ++shared_by_threads;
  other.join();
  sink = shared_by_threads;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  Address(argv[1]);
  Undefined(argv[1]);
  Thread(argv[1]);
  std::puts("survived");
  return 0;
}
