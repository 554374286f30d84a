#include "net/blocking.h"

#include <boost/asio/async_result.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/use_awaitable.hpp>

namespace lestapenna::net {

void Blocking::post(std::function<void()> work) {
    asio::post(thread_, std::move(work));
}

Task<> Blocking::perform(std::function<void()> work) {
    auto hand_over = [this](auto waiting, std::function<void()> job) {
        // The guard keeps the loop running although nothing of it is under way there.
        auto loop = asio::make_work_guard(waiting);
        asio::post(thread_, [waiting = std::move(waiting), loop = std::move(loop), job = std::move(job)]() mutable {
            job();
            job = nullptr;  // what it holds goes here, on the thread that may block
            asio::post(loop.get_executor(), std::move(waiting));
        });
    };
    co_await asio::async_initiate<const asio::use_awaitable_t<>, void()>(std::move(hand_over), asio::use_awaitable,
                                                                         std::move(work));
}

}  // namespace lestapenna::net
