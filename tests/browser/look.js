// What is wrong with the page as it is shown now: pairs of words and a selector that finds the place.
() => {
  const found = [];
  const width = document.documentElement.clientWidth;
  const article = document.querySelector("article") || document.body;

  const selector = (element) => {
    const path = [];
    for (let e = element; e && e !== document.body && path.length < 5; e = e.parentElement) {
      if (e.id) {
        path.unshift("#" + CSS.escape(e.id));
        break;
      }
      const classes = [...e.classList].slice(0, 2).map((name) => "." + CSS.escape(name));
      path.unshift(e.tagName.toLowerCase() + classes.join(""));
    }
    return path.join(" > ");
  };
  const note = (element, words) => found.push([words, selector(element)]);
  const visible = (element) => element.checkVisibility({ visibilityProperty: true, opacityProperty: true });

  // A box that scrolls by itself may hold something wider than the window; one that only cuts it off may not.
  const scrolls = (element) => ["auto", "scroll"].includes(getComputedStyle(element).overflowX);
  const inScroller = (element) => {
    for (let e = element.parentElement; e && e !== document.body; e = e.parentElement) {
      if (scrolls(e)) return e.getBoundingClientRect().right <= width + 1;
    }
    return false;
  };
  const outside = (element) => {
    const box = element.getBoundingClientRect();
    const beyond = box.right > width + 1 || box.left < -1;
    return box.width > 1 && box.height > 1 && beyond && visible(element) && !inScroller(element);
  };
  const innermost = (elements) => elements.filter((e) => !elements.some((other) => other !== e && e.contains(other)));

  const wide = document.scrollingElement.scrollWidth;
  if (wide > width + 1) {
    const culprits = innermost([...document.body.querySelectorAll("*")].filter(outside));
    found.push([`scrolls sideways: ${wide} px of content`, culprits.slice(0, 3).map(selector).join(", ")]);
  }
  const drawn = (element) => element.closest("svg") && element.tagName !== "svg";
  for (const element of innermost([...article.querySelectorAll("*")].filter((e) => !drawn(e) && outside(e))).slice(0, 5)) {
    const box = element.getBoundingClientRect();
    note(element, `reaches from ${Math.round(box.left)} to ${Math.round(box.right)} px, out of the window`);
  }

  for (const image of document.images) {
    const source = image.getAttribute("src");
    if (!image.complete || image.naturalWidth === 0) note(image, `the picture ${source} did not load`);
    if (article.contains(image) && !image.alt.trim()) note(image, `the picture ${source} has no alternative text`);
  }

  for (const error of document.querySelectorAll("mjx-merror")) {
    note(error, `an equation could not be set: ${error.dataset.mjxError || error.textContent}`);
  }
  const unset = [...article.querySelectorAll(".math")].filter((e) => !e.querySelector("mjx-container"));
  for (const element of unset.slice(0, 1)) {
    note(element, `${unset.length} equations are still TeX: ${element.textContent.trim().slice(0, 40)}`);
  }
  return found;
};
