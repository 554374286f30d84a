// First come, first served: whoever starts or ends the recording of a guild does so alone, in the order of the asking.
//
// Thread: the loop's. Ownership: the Line outlives its turns.
#pragma once

#include <deque>
#include <memory>
#include <utility>

#include "net/loop.h"

namespace lestapenna::bot {

class Line {
  public:
    explicit Line(net::Loop& loop) : loop_(loop) {}
    Line(const Line&) = delete;
    Line& operator=(const Line&) = delete;

    /// Held until it is over() or destroyed.
    class Turn {
      public:
        explicit Turn(Line& line) : line_(&line) {}
        Turn(Turn&& other) noexcept : line_(std::exchange(other.line_, nullptr)) {}
        Turn& operator=(Turn&&) = delete;
        ~Turn() { over(); }
        void over() {
            if (Line* line = std::exchange(line_, nullptr)) line->next();
        }

      private:
        Line* line_;
    };

    /// Nobody has a turn, or waits for one.
    [[nodiscard]] bool is_free() const { return !taken_; }

    net::Task<Turn> enter() {
        if (taken_) {
            const auto called = std::make_shared<net::Signal>(loop_);
            waiting_.push_back(called);
            co_await called->wait();
        }
        taken_ = true;
        co_return Turn(*this);
    }

  private:
    void next() {
        if (waiting_.empty()) {
            taken_ = false;
            return;
        }
        const auto called = std::move(waiting_.front());
        waiting_.pop_front();
        called->set();  // it stays taken: nobody comes between
    }

    net::Loop& loop_;
    bool taken_ = false;
    std::deque<std::shared_ptr<net::Signal>> waiting_;
};

}  // namespace lestapenna::bot
