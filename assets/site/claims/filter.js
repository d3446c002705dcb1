// Filters the list of claims in the page; without it the list is whole.
(() => {
  const form = document.querySelector(".claims-filter");
  if (!form) return;
  const claims = [...document.querySelectorAll(".claim[data-chapter]")];
  const texts = claims.map((claim) => claim.textContent.toLowerCase());
  const { words, chapter, verdict } = form.elements;
  const said = form.querySelector("output");

  function show() {
    const wanted = words.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    claims.forEach((claim, i) => {
      const fits =
        wanted.every((word) => texts[i].includes(word)) &&
        (!chapter.value || claim.dataset.chapter === chapter.value) &&
        (!verdict.value || claim.classList.contains(verdict.value));
      claim.hidden = !fits;
      count += fits;
    });
    // A group without a match needs no heading.
    for (const group of document.querySelectorAll("section:has(> .claim[data-chapter])")) {
      group.hidden = !group.querySelector(".claim:not([hidden])");
    }
    said.textContent = count === claims.length ? "" : `${count} of ${claims.length}`;
  }

  form.hidden = false;
  form.addEventListener("input", show);
  form.addEventListener("submit", (event) => event.preventDefault());
  show();
})();
