// The book works without this script; it adds what a pen would know: how much room is left.
"use strict";

function countDown(area) {
  const left = document.createElement("span");
  left.className = "field__left";
  const show = () => {
    const free = area.maxLength - area.value.length;
    left.textContent = `room for ${free} more ${free === 1 ? "character" : "characters"}`;
  };
  area.addEventListener("input", show);
  area.after(left);
  show();
}

function signOnce(form) {
  form.addEventListener("submit", () => {
    form.querySelector("button").disabled = true;
  });
  // A page that comes back from the history must be usable again.
  addEventListener("pageshow", () => {
    form.querySelector("button").disabled = false;
  });
}

document.querySelectorAll("textarea[maxlength]").forEach(countDown);
document.querySelectorAll("form[method=post]").forEach(signOnce);
