// A resolver that does not answer: while a HangingNames lives, no name lookup of this process returns. It defines
// getaddrinfo(), which shared libraries then call instead of libc's: include it in one file of a program.
#pragma once

#include <condition_variable>
#include <mutex>

#include <dlfcn.h>
#include <netdb.h>

#include "base/time.h"

namespace lestapenna::test {

class HangingNames {
  public:
    HangingNames() { set(true); }
    /// Lets all go that wait.
    ~HangingNames() { set(false); }
    HangingNames(const HangingNames&) = delete;
    HangingNames& operator=(const HangingNames&) = delete;

    /// Somebody waits for an answer, within a minute.
    static bool is_asked() {
        std::unique_lock lock(state().mutex);
        return state().changed.wait_for(lock, seconds(60), [] { return state().asking > 0; });
    }
    static void wait() {
        std::unique_lock lock(state().mutex);
        ++state().asking;
        state().changed.notify_all();
        state().changed.wait(lock, [] { return !state().hang; });
        --state().asking;
    }

  private:
    struct State {
        std::mutex mutex;
        std::condition_variable changed;
        bool hang = false;
        int asking = 0;
    };
    static State& state() {
        static auto* const the = new State;  // a thread that was left behind may outlive main()
        return *the;
    }
    static void set(bool hang) {
        {
            const std::lock_guard lock(state().mutex);
            state().hang = hang;
        }
        state().changed.notify_all();
    }
};

}  // namespace lestapenna::test

extern "C" int getaddrinfo(const char* host, const char* service, const addrinfo* hints, addrinfo** found) {
    lestapenna::test::HangingNames::wait();
    static auto* const real = reinterpret_cast<decltype(&getaddrinfo)>(::dlsym(RTLD_NEXT, "getaddrinfo"));
    return real(host, service, hints, found);
}
