// Errors from outside are values: a function that can fail because of the world returns Result<T>.
// An Error is a kind (which decides the exit code and the JSON "code") and one sentence for a person that says
// what happened and, where there is something to do, what to do. Programmer errors are asserts.
// Pure value types; any thread.
#pragma once

#include <cassert>
#include <string>
#include <utility>
#include <variant>

namespace lestapenna {

enum class ErrorKind {
    failed,       ///< the world said no: I/O, no space, a codec
    usage,        ///< wrong words on the command line or a wrong value in the configuration
    damaged,      ///< input that is not what it claims to be
    not_found,    ///< an id nobody knows
    locked,       ///< the session is being recorded
    interrupted,  ///< a signal asked to stop; what is done stays done
};

struct Error {
    ErrorKind kind = ErrorKind::failed;
    std::string message;
};

struct Ok {};

/// E is another type where the caller needs more than the sentence (discord::RestError).
template <class T = Ok, class E = Error>
class [[nodiscard]] Result {
  public:
    Result(T value) : value_(std::move(value)) {}  // NOLINT(google-explicit-constructor)
    Result(E error) : value_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

    [[nodiscard]] bool ok() const { return value_.index() == 0; }
    explicit operator bool() const { return ok(); }

    [[nodiscard]] T& value() & { return assert(ok()), std::get<0>(value_); }
    [[nodiscard]] const T& value() const& { return assert(ok()), std::get<0>(value_); }
    [[nodiscard]] T&& value() && { return assert(ok()), std::get<0>(std::move(value_)); }
    T* operator->() { return &value(); }
    const T* operator->() const { return &value(); }
    T& operator*() & { return value(); }
    const T& operator*() const& { return value(); }
    T&& operator*() && { return std::move(*this).value(); }

    [[nodiscard]] const E& error() const { return assert(!ok()), std::get<1>(value_); }

  private:
    std::variant<T, E> value_;
};

using Status = Result<Ok>;

}  // namespace lestapenna
