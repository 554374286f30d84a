// Which hosts are this machine: what need not be encrypted to get there (docs/architecture.md section 9). Pure; any
// thread.
#pragma once

#include <string_view>

namespace lestapenna {

/// "localhost", an address of 127.0.0.0/8, or ::1 (without brackets). Names are not looked up.
bool is_loopback(std::string_view host);

}  // namespace lestapenna
