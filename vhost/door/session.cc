#include "vhost/door/session.h"

#include <sys/socket.h>

#include <exception>
#include <system_error>
#include <utility>
#include <vector>

#include "vhost/door/fd_facts.h"
#include "vhost/door/message_rules.h"
#include "vhost/door/summary.h"

namespace vhost::door {
namespace {

using boost::asio::posix::stream_descriptor;

Message reply_to(const Message& message) {
  Message reply;
  reply.header = {message.header.request, kVersion | kReply, 0};
  return reply;
}

const MessageRule& rule_of(const Message& message) {
  return *find_rule(message.header.request);
}

bool is_failure(const Message& answer) {
  return answer.header.size == sizeof(uint64_t) && answer.payload_as<uint64_t>() != 0;
}

// For the history.
std::string outcome(const Message& answer) {
  if (answer.request() != Request::get_vring_base) return "ok";
  return "= " + std::to_string(answer.payload_as<VringState>().value);
}

}  // namespace

template <typename Step>
void Session::guarded(Step step) {
  try {
    step();
  } catch (const ProtocolError& error) {
    end(error.what(), true);
  } catch (const std::exception& error) {
    end(error.what(), false);
  }
}

template <typename Step>
auto Session::handler(Step step) {
  return [self = shared_from_this(), step](const boost::system::error_code& error) {
    if (self->over_ || error == boost::asio::error::operation_aborted) return;
    self->guarded([&] { step(*self); });
  };
}

Session::Session(boost::asio::io_context& loop, UniqueFd vmm, UniqueFd backend,
                 const ProtocolOffer& offer, Port port, Ended ended)
    : port_(port),
      ended_(std::move(ended)),
      vmm_(loop),
      backend_(loop),
      deadline_(loop),
      pause_(loop),
      state_(offer),
      from_vmm_(check_request_header),
      from_backend_(check_answer_header) {
  vmm_.assign(vmm.get());
  vmm.release();
  backend_.assign(backend.get());
  backend.release();
}

void Session::start() {
  await_backend();
  await_vmm();
}

void Session::end(const std::string& reason, bool fault) {
  if (std::exchange(over_, true)) return;
  deadline_.cancel();
  pause_.cancel();
  std::vector<UniqueFd> unwanted = std::move(asked_.fds);
  for (UniqueFd& fd : from_vmm_.take().fds) unwanted.push_back(std::move(fd));
  port_.disposer.close_elsewhere(std::move(unwanted));
  port_.disposer.hang_up(UniqueFd(vmm_.release()));
  UniqueFd backend(backend_.release());
  // rte_vhost reads the end of the stream, and its own close can still be seen from here.
  ::shutdown(backend.get(), SHUT_WR);
  std::exchange(ended_, nullptr)(std::move(backend), reason, fault);
}

void Session::set_deadline(const char* reason) {
  if (std::exchange(deadline_set_, true)) return;
  deadline_.expires_after(port_.limits.message_timeout);
  deadline_.async_wait(handler([reason, number = ++deadline_number_](Session& self) {
    if (self.deadline_set_ && self.deadline_number_ == number) throw ProtocolError(reason);
  }));
}

void Session::clear_deadline() {
  deadline_set_ = false;
  deadline_.cancel();
}

void Session::library_closed() {
  const bool in_flight = stage_ == Stage::asking || stage_ == Stage::awaiting;
  const std::string reason = "the vhost library closed the connection";
  end(in_flight ? reason + " at " + message_name(asked_.header.request) : reason, in_flight);
}

// --- From the VMM.

void Session::read_next() {
  clear_deadline();
  stage_ = Stage::reading;
  await_vmm();
}

void Session::await_vmm() {
  vmm_.async_wait(stream_descriptor::wait_read, handler([](Session& s) { s.on_vmm_readable(); }));
}

void Session::on_vmm_readable() {
  switch (from_vmm_.read(vmm_.native_handle())) {
    case MessageReader::Status::closed:
      return end("the VMM closed its socket", false);
    case MessageReader::Status::nothing:
      return await_vmm();
    case MessageReader::Status::partial:
      set_deadline("only half a message came, and no more for too long");
      return await_vmm();
    case MessageReader::Status::whole:
      clear_deadline();
      break;
  }
  asked_ = from_vmm_.take();
  const bool table = asked_.request() == Request::set_mem_table;
  const auto wait = port_.pace.take(Clock::now(), table ? port_.limits.messages_a_memory_table : 1);
  if (wait <= Clock::duration::zero()) return handle();
  pause_.expires_after(wait);
  pause_.async_wait(handler([](Session& self) { self.handle(); }));
}

void Session::handle() {
  const MessageRule& rule = rule_of(asked_);
  port_.history.add(std::string("VHOST_USER_") + rule.name, summarize(asked_));
  std::vector<FdFacts> facts;
  for (const UniqueFd& fd : asked_.fds) facts.push_back(inspect_fd(fd.get()));
  state_.check(asked_, facts);
  if (rule.answer != Answer::door) return ask_backend();
  const uint64_t value = state_.answer(asked_.request());
  port_.history.append("= " + hexadecimal(value));
  Message reply = reply_to(asked_);
  reply.set_payload(value);
  answer_vmm(std::move(reply));
}

// --- To the back-end and back.

void Session::ask_backend() {
  Message message;
  message.header = asked_.header;
  message.header.flags = kVersion | (rule_of(asked_).answer == Answer::ack ? kNeedReply : 0);
  message.payload = asked_.payload;
  message.fds = std::exchange(asked_.fds, {});
  to_backend_.start(std::move(message));
  stage_ = Stage::asking;
  pass_on();
}

void Session::pass_on() {
  const auto status = to_backend_.write(backend_.native_handle());
  if (status == MessageWriter::Status::closed) return library_closed();
  if (status == MessageWriter::Status::whole) {
    stage_ = Stage::awaiting;
    return;
  }
  backend_.async_wait(stream_descriptor::wait_write, handler([](Session& s) { s.pass_on(); }));
}

void Session::await_backend() {
  backend_.async_wait(stream_descriptor::wait_read,
                      handler([](Session& s) { s.on_backend_readable(); }));
}

void Session::on_backend_readable() {
  const auto status = from_backend_.read(backend_.native_handle());
  if (status == MessageReader::Status::closed) return library_closed();
  if (status == MessageReader::Status::whole) {
    const Message answer = from_backend_.take();
    if (stage_ != Stage::awaiting) return end("the vhost library spoke unasked", false);
    on_answer(answer);
  }
  if (!over_) await_backend();
}

void Session::on_answer(const Message& answer) {
  check_answer(answer);
  const bool ack = rule_of(asked_).answer == Answer::ack;
  const bool failed = ack && is_failure(answer);
  state_.commit(asked_, !failed);
  port_.history.append(failed ? "failed" : outcome(answer));
  if (failed && !asked_.needs_reply()) {
    return end("the vhost library could not carry out " + message_name(asked_.header.request),
               true);
  }
  if (asked_.request() == Request::send_rarp && !failed && port_.announced) {
    port_.announced(asked_.payload_as<uint64_t>());
  }
  if (ack && !asked_.needs_reply()) return read_next();
  Message reply = reply_to(asked_);
  reply.payload = answer.payload;
  reply.header.size = answer.header.size;
  // SET_LOG_BASE: rte_vhost's answer is empty, as QEMU likes it; whoever asked for an ack gets one.
  if (answer.header.size == 0 && asked_.needs_reply()) reply.set_payload(uint64_t{0});
  answer_vmm(std::move(reply));
}

void Session::check_answer(const Message& answer) const {
  const bool may_be_empty = asked_.request() == Request::set_log_base;
  const bool size_fits = answer.header.size == sizeof(uint64_t) || may_be_empty;
  bool fits = answer.header.request == asked_.header.request && size_fits && answer.fds.empty();
  if (asked_.request() == Request::get_vring_base) {
    const auto state = answer.payload_as<VringState>();
    fits = fits && state.index == asked_.payload_as<VringState>().index && state.value <= 0xffff;
  }
  if (fits) return;
  throw std::runtime_error("the vhost library's answer to " + message_name(asked_.header.request) +
                           " makes no sense");
}

// --- To the VMM.

void Session::answer_vmm(Message answer) {
  to_vmm_.start(std::move(answer));
  stage_ = Stage::answering;
  hand_over();
}

void Session::hand_over() {
  const auto status = to_vmm_.write(vmm_.native_handle());
  if (status == MessageWriter::Status::closed) return end("the VMM closed its socket", false);
  if (status == MessageWriter::Status::whole) return read_next();
  set_deadline("does not take its answers");
  vmm_.async_wait(stream_descriptor::wait_write, handler([](Session& s) { s.hand_over(); }));
}

}  // namespace vhost::door
