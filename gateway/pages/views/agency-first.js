// Where somebody else was first: what was to be decided no longer waits, so the section is drawn anew, without
// the buttons and with the refusal above it.

const TOO_LATE = [
  "WINDOW_STEP_NOT_ALLOWED", "WINDOW_NOT_OPEN", "DIFFERENCE_RESOLVED", "DIFFERENCE_NOT_FOUND", "RISK_SIGNAL_RESOLVED",
  "PREMIUM_PAYMENT_DECIDED", "PREMIUM_REFUND_NOT_REQUESTED", "SUSPENSE_RESOLVED", "ADJUSTMENT_DECIDED",
];

/** `send(act)` does it and keeps a refusal that comes too late; `done()` draws anew, with that refusal. */
export function firstOf(redraw) {
  let late;
  const send = async (act) => {
    try {
      await act();
    } catch (problem) {
      if (!TOO_LATE.includes(problem.reason)) throw problem;
      late = problem;
    }
  };
  return { send, done: () => redraw(late) };
}
