// The book works without this script; it counts the room that is left and works the lock.
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

function workTheLock(lock) {
  const lever = document.createElement("button");
  lever.className = "work";
  lever.type = "button";
  lever.textContent = "Open the valve";
  lever.addEventListener("click", () => lock.classList.toggle("lock--left"));
  lock.after(lever);
}

document.querySelectorAll(".lock").forEach(workTheLock);
document.querySelectorAll("textarea[maxlength]").forEach(countDown);
document.querySelectorAll("form[method=post]").forEach(signOnce);
